; The agent for 32-bit paging and PAE paging: the same scripts as agent.asm's, carried out in protected mode.
;
; edi is the step at hand, esi the direct map of physical memory, ebp the mailbox, whose word 9 is the top of the stack. Accesses
; under test touch eax and ebx only. A step has the numbers, arguments and results that it has in agent.asm, in the low 4 bytes of
; each word; store and exchange are of 4 bytes. ds and es are those of CPL 3 throughout, which either CPL may use.
;
;     nasm -f bin agent_32.asm        (the bytes are embedded in code.py; a test assembles this text and compares)
BITS 32
ORG 0
%define A [edi+8]
%define B [edi+16]
%define C [edi+24]
%define R0 [edi+32]
%define R1 [edi+40]
%define R2 [edi+48]
%define R3 [edi+56]

wait_for_host:
  pause
  cmp dword [ebp],1           ; mailbox: 1 go
  jne wait_for_host
  mov edi,[ebp+16]            ; where the script is
  jmp step
next:
  add edi,64
step:
  mov eax,[edi]
  mov ecx,A
  mov edx,B
  cmp eax,1
  je store
  cmp eax,3
  je exchange
  cmp eax,4
  je control
  cmp eax,6
  je reload
  cmp eax,8
  je reach
  cmp eax,17
  je cpuid_

stop:                         ; 0: done. How the host learns of it: mailbox word 1
  mov dword [ebp],0
  cmp dword [ebp+8],1
  je stop_by_halting
  cmp dword [ebp+8],2
  jne wait_for_host
  clflush [ebp]               ; the host watches for this instruction
  jmp wait_for_host
stop_by_halting:
  hlt
  jmp wait_for_host

store:                        ; 1: physical [a] = b
  mov [esi+ecx],edx
  jmp next
exchange:                     ; 3: result = physical [a], which becomes b
  mov eax,[esi+ecx]
  mov [esi+ecx],edx
  mov R0,eax
  jmp next

control:                      ; 4: CR0 = a, CR4 = b, EFER = c, where they differ
  mov eax,cr4
  cmp eax,edx
  je .cr0
  mov cr4,edx
.cr0:
  mov eax,cr0
  cmp eax,ecx
  je .efer
  mov cr0,ecx
.efer:
  mov ecx,0xc0000080
  rdmsr
  cmp eax,C
  je next
  mov eax,C
  wrmsr
  jmp next
reload:                       ; 6: CR3 = a
  mov cr3,ecx
  jmp next

reach:                        ; 8: go to b with ebx = a. c: bit 0 at CPL 3, the rest EFLAGS. results: vector, error code, CR2, eax
  mov ebx,ecx
  mov eax,[ebp+24]            ; what a store stores
  mov esp,[ebp+72]
  mov ecx,C
  test cl,1
  mov cl,2
  jz .at_cpl_0
  push dword 0x2b
  push dword [ebp+72]
  push ecx
  push dword 0x23
  push edx
  iretd
.at_cpl_0:
  push ecx
  push dword 0x10
  push edx
  iretd
TIMES 0xe0-($-$$) db 0x90
page_fault:                   ; the IDT leads here, and to the two below
  mov R3,eax
  pop dword R1
  mov eax,cr2
  mov R2,eax
  mov eax,14
  jmp faulted
TIMES 0x100-($-$$) db 0x90
protection_fault:
  mov R3,eax
  pop dword R1
  mov eax,13
  jmp faulted
TIMES 0x120-($-$$) db 0x90
invalid_opcode:               ; how an access that was let through ends
  mov R3,eax
  mov eax,6
faulted:
  mov R0,eax
  mov esp,[ebp+72]
  jmp next

cpuid_:                       ; 17: CPUID of leaf a, subleaf b. results: eax, ebx, ecx, edx
  mov eax,ecx
  mov ecx,edx
  cpuid
  mov R0,eax
  mov R1,ebx
  mov R2,ecx
  mov R3,edx
  jmp next
