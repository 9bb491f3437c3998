# What one does with Replug from the host: see `make help`. Included by the Makefile.

ROOT_TOOLS := tools/mkroot.py tools/minix.py tools/devices.table

# The root disk. Its staging tree is made by user/user.mk; mkroot leaves an unchanged image alone.
$(BUILD)/root.img: root-tree $(ROOT_TOOLS)
	@echo "  ROOT  $@"
	@$(PYTHON) tools/mkroot.py $(BUILD)/root tools/devices.table $@
