; A kernel for testing tools/vm.py without Replug: prompts on COM1, echoes every character, and
; writes "H" to the top left corner of the screen. It does nothing else.
        bits 32
        section .text
        align 4
        dd 0x1BADB002, 0, -0x1BADB002

        global _start
_start: mov byte [0xB8000], 'H'
prompt: mov al, '#'
        call put
        mov al, ' '
        call put
read:   mov dx, 0x3FD
        in al, dx
        test al, 1
        jz read
        mov dx, 0x3F8
        in al, dx
        call put
        cmp al, 10
        je prompt
        jmp read

put:    push eax
        mov dx, 0x3FD
.full:  in al, dx
        test al, 0x20
        jz .full
        pop eax
        mov dx, 0x3F8
        out dx, al
        ret
