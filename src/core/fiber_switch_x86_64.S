/* fiber_switch_x86_64.S - the switch from one stack to another, System V ABI.
 *
 * A switch is a function call to the compiler: whatever the caller of a function must expect to lose is lost, so only the
 * callee-saved registers and the two floating-point control words are kept, on the stack that is left. `struct first_frame`
 * in fiber.c has the same layout. The way back is an indirect jump and not a return: it would be mispredicted always. */
#if defined(__x86_64__)

        .text

/* void fiber_switch(void **ret_sp [rdi], void *sp [rsi]) */
        .globl  fiber_switch
        .hidden fiber_switch
        .type   fiber_switch, @function
        .p2align 4
fiber_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)

        movq    %rsp, (%rdi)
        movq    %rsi, %rsp              /* the other stack looks the same, so the unwinder needs no news */

        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        notrack jmp *%rcx               /* to behind a call, where no endbr64 stands */
        .cfi_endproc
        .size   fiber_switch, . - fiber_switch

/* Where fiber_switch comes out in a new fiber, with the fiber in r12 and an aligned stack. There is no caller. */
        .globl  fiber_entry
        .hidden fiber_entry
        .type   fiber_entry, @function
        .p2align 4
fiber_entry:
        .cfi_startproc
        .cfi_undefined rip
        endbr64
        xorl    %ebp, %ebp              /* ends a walk along frame pointers, too */
        movq    %r12, %rdi
        call    fiber_begin
        ud2
        .cfi_endproc
        .size   fiber_entry, . - fiber_entry

/* Good for indirect branch tracking; not for shadow stacks, which this switch does not know. */
#if defined(__CET__) && (__CET__ & 1)
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4, 16, 5                /* sizes of name and description; NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002, 4, 1, 0     /* GNU_PROPERTY_X86_FEATURE_1_AND: 4 bytes: IBT; padding */
#endif

#endif

/* Also on the other machine, or the linker takes this file to want an executable stack. */
        .section .note.GNU-stack, "", %progbits
