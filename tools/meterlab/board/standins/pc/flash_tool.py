# Runs on MicroPython, on this PC: copies a folder into a littlefs image, or an image into a
# folder.
#
#     micropython flash_tool.py IMAGE FOLDER build|read
import os
import sys

import vfs

BLOCK = 4096


class Flash:
    def __init__(self, file):
        self.file = file
        self.count = file.seek(0, 2) // BLOCK

    def readblocks(self, n, buf, offset=0):
        self.file.seek(n * BLOCK + offset)
        self.file.readinto(buf)

    def writeblocks(self, n, buf, offset=0):
        self.file.seek(n * BLOCK + offset)
        self.file.write(buf)

    def ioctl(self, op, arg):
        if op == 4:
            return self.count
        if op == 5:
            return BLOCK
        if op == 6:
            self.writeblocks(arg, b"\xff" * BLOCK)
        return 0


def copy(a, b):
    buf = bytearray(BLOCK)
    with open(a, "rb") as source, open(b, "wb") as target:
        while True:
            n = source.readinto(buf)
            if not n:
                break
            target.write(memoryview(buf)[:n])


def walk(a, b):
    for entry in os.ilistdir(a):
        name = entry[0]
        if entry[1] & 0x4000:
            os.mkdir(b + "/" + name)
            walk(a + "/" + name, b + "/" + name)
        else:
            copy(a + "/" + name, b + "/" + name)


image, folder, mode = sys.argv[1:]
file = open(image, "r+b")
flash = Flash(file)
if mode == "build":
    vfs.VfsLfs2.mkfs(flash)
vfs.mount(vfs.VfsLfs2(flash), "/flash")
if mode == "build":
    walk(folder, "/flash")
else:
    walk("/flash", folder)
vfs.umount("/flash")
file.close()
