; The agent: a program that runs on the machine under judgement and carries out a list of steps.
;
; A step is a record of eight 8-byte words: what to do, up to three arguments a, b, c, and four results.
; The host writes a script of them into memory, rings (mailbox word 0 becomes 1), and when the word is 0 again reads the results.
; r15 is the step at hand, r14 the direct map of physical memory, r12 the top of the stack, rbp the mailbox. Accesses under
; test touch rax and rbx only, so these survive them, a page fault, and a virtual machine.
;
;     nasm -f bin agent.asm        (the bytes are embedded in image.py; a test assembles this text and compares)
BITS 64
ORG 0
%define A [r15+8]
%define B [r15+16]
%define C [r15+24]
%define R0 [r15+32]
%define R1 [r15+40]
%define R2 [r15+48]
%define R3 [r15+56]

wait_for_host:
  pause
  cmp qword [rbp],1           ; mailbox: 1 go
  jne wait_for_host
  mov r15,[rbp+16]            ; where the script is
  jmp step
next:
  add r15,64
step:
  mov rax,[r15]
  cmp rax,19
  jae stop
  lea rcx,[rel table]
  movsx rdx,word [rcx+rax*2]
  add rcx,rdx
  jmp rcx
table:
  dw stop-table, store-table, load-table, exchange-table
  dw control-table, keys-table, reload-table, flush-table
  dw reach-table, run_svm-table, enable_svm-table, enable_vmx-table
  dw vmwrite_-table, vmread_-table, run_vmx-table, invept_-table
  dw invpcid_-table, cpuid_-table, invvpid_-table

stop:                         ; 0: done. How the host learns of it: mailbox word 1
  mov qword [rbp],0
  cmp qword [rbp+8],1
  je stop_by_halting
  cmp qword [rbp+8],2
  jne wait_for_host
  clflush [rbp]               ; the host watches for this instruction
  jmp wait_for_host
stop_by_halting:
  hlt
  jmp wait_for_host

store:                        ; 1: physical [a] = b
  mov rcx,A
  mov rax,B
  mov [r14+rcx],rax
  jmp next
load:                         ; 2: result = physical [a]
  mov rcx,A
  mov rax,[r14+rcx]
  mov R0,rax
  jmp next
exchange:                     ; 3: result = physical [a], which becomes b
  mov rcx,A
  mov rax,B
  mov rdx,[r14+rcx]
  mov [r14+rcx],rax
  mov R0,rdx
  jmp next

control:                      ; 4: CR0 = a, CR4 = b, EFER = c, where they differ
  mov rax,cr4
  cmp rax,B
  je .cr0
  mov rax,B
  mov cr4,rax
.cr0:
  mov rax,cr0
  cmp rax,A
  je .efer
  mov rax,A
  mov cr0,rax
.efer:
  mov ecx,0xc0000080
  rdmsr
  shl rdx,32
  or rax,rdx
  cmp rax,C
  je next
  mov rax,C
  mov rdx,rax
  shr rdx,32
  wrmsr
  jmp next
keys:                         ; 5: PKRU = a
  xor ecx,ecx
  xor edx,edx
  mov eax,A
  wrpkru
  jmp next
reload:                       ; 6: CR3 = a
  mov rax,A
  mov cr3,rax
  jmp next
flush:                        ; 7: INVLPG a
  mov rax,A
  invlpg [rax]
  jmp next

reach:                        ; 8: go to b with rbx = a. c: bit 0 at CPL 3, the rest RFLAGS. results: vector, error code, CR2, rax
  mov rbx,A
  mov rax,[rbp+24]            ; what a store stores
  mov rcx,C
  mov edx,0x18
  mov esi,0x10
  test cl,1
  jz .go
  mov edx,0x2b
  mov esi,0x23
.go:
  and cl,0xfe
  or cl,2
  mov rsp,r12
  push rdx
  push r12
  push rcx
  push rsi
  push qword B
  iretq
TIMES 0x160-($-$$) db 0x90
page_fault:                   ; the host's IDT leads here, and to the two below
  mov R3,rax
  pop qword R1
  mov rax,cr2
  mov R2,rax
  mov eax,14
  jmp faulted
TIMES 0x180-($-$$) db 0x90
protection_fault:
  mov R3,rax
  pop qword R1
  mov eax,13
  jmp faulted
TIMES 0x1a0-($-$$) db 0x90
invalid_opcode:               ; how an access that was let through ends
  mov R3,rax
  mov eax,6
faulted:
  mov R0,rax
  mov rsp,r12
  jmp next

run_svm:                      ; 9: VMRUN the VMCB at physical a with rbx = b. result: rbx
  mov rbx,B
  mov rax,A
  vmrun
  mov R0,rbx
  jmp next
enable_svm:                   ; 10: the host save area is at physical a
  mov ecx,0xc0010117
  mov eax,A
  xor edx,edx
  wrmsr
  jmp next

enable_vmx:                   ; 11: VMXON a, VMCLEAR and VMPTRLD b (places of pointers). result: 0 if it failed
  mov qword R0,0
  mov ecx,0x3a
  xor edx,edx
  mov eax,5
  wrmsr
  mov rcx,A
  vmxon [r14+rcx]
  jbe next
  mov rcx,B
  vmclear [r14+rcx]
  jbe next
  vmptrld [r14+rcx]
  jbe next
  mov qword R0,1
  mov qword [rbp+32],0        ; not launched yet
  jmp next
vmwrite_:                     ; 12: VMCS field a = b. result: 0 if there is no such field
  mov rax,A
  mov rdx,B
  vmwrite rax,rdx
  seta al
  movzx eax,al
  mov R0,rax
  jmp next
vmread_:                      ; 13: result = VMCS field a
  mov rax,A
  vmread R0,rax
  jmp next
run_vmx:                      ; 14: enter the virtual machine with rbx = a, rax = b. The host's RIP in the VMCS leads to vm_exit
  mov rbx,A
  mov rax,B
  mov qword R1,1
  cmp qword [rbp+32],0
  jne .resume
  mov qword [rbp+32],1
  vmlaunch
  jmp .failed
.resume:
  vmresume
.failed:
  mov qword R1,0
  jmp next
TIMES 0x2a0-($-$$) db 0x90
vm_exit:                      ; results: rax, 1 if the machine was entered
  mov R0,rax
  jmp next
invept_:                      ; 15: INVEPT of type a, descriptor at physical b
  mov rax,A
  mov rcx,B
  invept rax,[r14+rcx]
  jmp next
invpcid_:                     ; 16: INVPCID of kind a, PCID b, address c. result: the vector, if it faults
  mov qword R0,0
  mov rax,A
  invpcid rax,[r15+16]
  jmp next
cpuid_:                       ; 17: CPUID of leaf a, subleaf b. results: eax, ebx, ecx, edx
  mov eax,A
  mov ecx,B
  cpuid
  mov R0,rax
  mov R1,rbx
  mov R2,rcx
  mov R3,rdx
  jmp next
invvpid_:                     ; 18: INVVPID of type a, VPID b, address c. result: 0 if it failed
  mov rax,A
  invvpid rax,[r15+16]
  seta al
  movzx eax,al
  mov R0,rax
  jmp next
