// usb_init: finds the USB controllers and starts them.
#pragma once

// Takes all memory and tasks that the xHCI controllers on the PCI buses and their devices will ever
// need, starts the controllers, and returns at once. Devices are announced by media_event.h when
// they are ready. Called once, after pci_init and before programs run.
void usb_init();
