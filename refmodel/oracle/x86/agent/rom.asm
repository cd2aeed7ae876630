; A firmware for QEMU that does one thing: from real mode to long mode, or to protected mode with paging, and on to the agent.
;
; The tables at BOOT_TABLES map the first 4 MiB to themselves and the agent's pages where they are at home; the host has written
; them. Mailbox words 8 to 10 say where to go, with which stack, and with which mailbox; 11, 12 and 18 have CR4, CR3 and EFER, whose
; LME says which mode. 64 KiB, mapped below 1 MiB and below 4 GiB.
;
;     nasm -f bin rom.asm
%define BOOT_TABLES 0x28000
%define MAILBOX 0x16000
BITS 16
ORG 0xf0000
begin:
  cli
  o32 lgdt [cs:descriptor-begin]
  mov eax,cr0
  or al,1
  mov cr0,eax
  jmp dword 8:protected
BITS 32
protected:
  in al,0x92                  ; the A20 gate, through the system control port
  or al,2
  and al,0xfe                 ; bit 0 would reset the machine
  out 0x92,al
  mov ax,0x10
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov eax,[MAILBOX+88]
  mov cr4,eax
  mov eax,[MAILBOX+96]
  mov cr3,eax
  mov ecx,0xc0000080
  mov eax,[MAILBOX+144]
  xor edx,edx
  wrmsr
  mov eax,0x80010033          ; PG, WP, NE, ET, MP, PE
  mov cr0,eax
  mov eax,MAILBOX
  test byte [eax+145],1       ; EFER.LME
  jz in_protected_mode
  jmp 0x18:in_long_mode
in_protected_mode:
  mov ecx,[eax+64]
  mov esp,[eax+72]
  mov ebp,[eax+80]
  mov esi,[eax+104]
  lgdt [eax+112]
  lidt [eax+128]
  mov ax,0x2b
  mov ds,ax
  mov es,ax
  mov ax,0x18
  mov ss,ax
  mov ax,0x30
  ltr ax
  push dword 0x10
  push ecx
  retf
BITS 64
in_long_mode:
  mov eax,MAILBOX
  mov rcx,[rax+64]
  mov rsp,[rax+72]
  mov r12,rsp
  mov rbp,[rax+80]
  mov r14,[rax+104]
  lgdt [rax+112]
  lidt [rax+128]
  mov ax,0x18
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov ax,0x30
  ltr ax
  push 0x10
  push rcx
  retfq
ALIGN 8
descriptors: dq 0,0x00cf9b000000ffff,0x00cf93000000ffff,0x00af9b000000ffff
descriptor: dw 31
  dd descriptors
TIMES 0xfff0-($-$$) db 0xf4
BITS 16
  db 0xea                     ; where the processor starts: a far jump
  dw 0,0xf000
TIMES 0x10000-($-$$) db 0xff
