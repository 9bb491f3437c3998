// usb_init: finds the USB controllers and sets them to work.
#pragma once

// Takes the memory and the tasks that every xHCI controller on the PCI buses and its devices will
// ever need, starts them and returns at once; devices appear through media_event.h when they are
// ready. Called once, after pci_init and before programs run.
void usb_init();
