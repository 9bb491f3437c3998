// usb_init: finds the USB controllers and sets them to work.
#pragma once

// Starts a task for every xHCI controller on the PCI buses and returns at once; devices appear
// through media_event.h when they are ready. Called once, after pci_init.
void usb_init();
