/* Runs a network once and prints its output: a C program around what `smidgen compile --emit c --name demo` wrote. */

#include "demo.h"

/* Calls the host that runs the emulator (semihosting). On a board, print as the board does. */
static void call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text) {
    call(0x04, text);
}

static void print_number(int value) {
    char text[12];
    char *at = text + sizeof text;
    unsigned rest = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    *--at = 0;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    print(at);
    print("\n");
}

/* Holds the network's memory. */
static demo model;
static int8_t picture[DEMO_INPUT_COUNT];

int main(void) {
    if (demo_digest() != DEMO_DIGEST) {
        print("demo.h and libdemo.a were made from different plans\n");
        return 1;
    }
    for (int i = 0; i < DEMO_INPUT_COUNT; i++) {
        picture[i] = (int8_t)(i * 37 % 256 - 128);
    }
    demo_init(&model);
    const int8_t *output = demo_predict(&model, picture);
    for (int i = 0; i < DEMO_OUTPUT_COUNT; i++) {
        print_number(output[i]);
    }
    return 0;
}

void finish(int status) {
    const unsigned block[2] = {0x20026, (unsigned)status};
    call(0x20, block);
    for (;;) {
    }
}
