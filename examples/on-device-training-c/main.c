/* Shows a network ten labelled pictures, has it learn them, and keeps what it has learnt: the next start goes on from
 * there. A C program around what `smidgen adapt compile --emit c --name learner` wrote for any network of pictures.
 * The pictures are drawn here: stripes that run in another direction for each class. */

#include "learner.h"

/* Pictures that are shown, and pictures like them that are not; how often each is shown; the learning rate. */
#define SHOWN 10
#define PASSES 20
#define RATE (LEARNER_RATE_ONE / 100)

/* Calls the host that runs the emulator (semihosting). On a board, print as the board does. */
static int call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(const char *text) {
    call(0x04, text);
}

static void print_number(uint32_t value) {
    char text[12];
    char *at = text + sizeof text;
    *--at = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    print(at);
}

/* A file in place of flash: two slots, one behind the other, programmed in units of eight bytes. */
#define UNIT 8
static const char name[] = "adaptation.bin";
static uint32_t handle;

static int transfer(int operation, int slot, size_t at, const void *bytes, size_t count) {
    const uint32_t place[2] = {handle, (uint32_t)((size_t)slot * LEARNER_SLOT_BYTES(UNIT) + at)};
    const uint32_t block[3] = {handle, (uint32_t)(uintptr_t)bytes, (uint32_t)count};
    /* The host says how many bytes are left. */
    return call(0x0a, place) != 0 || call(operation, block) != 0;
}

static int program_slot(void *context, int slot, size_t at, const uint8_t *bytes, size_t count) {
    (void)context;
    return transfer(0x05, slot, at, bytes, count);
}

static int read_slot(void *context, int slot, size_t at, uint8_t *bytes, size_t count) {
    (void)context;
    return transfer(0x06, slot, at, bytes, count);
}

static int erase_slot(void *context, int slot) {
    static const uint8_t erased[UNIT] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    for (size_t at = 0; at < LEARNER_SLOT_BYTES(UNIT); at += UNIT) {
        if (program_slot(context, slot, at, erased, UNIT) != 0) {
            return 1;
        }
    }
    return 0;
}

static const learner_store slots = {
    .erase = erase_slot,
    .program = program_slot,
    .read = read_slot,
    .context = NULL,
    .slot_bytes = LEARNER_SLOT_BYTES(UNIT),
    .unit = UNIT,
};

/* Opens the file; makes it, with two erased slots, if it is not there. Modes are those of fopen: r+b, w+b. */
static int open_slots(void) {
    uint32_t block[3] = {(uint32_t)(uintptr_t)name, 3, sizeof name - 1};
    handle = (uint32_t)call(0x01, block);
    if (handle != UINT32_MAX) {
        return 0;
    }
    block[1] = 7;
    handle = (uint32_t)call(0x01, block);
    return handle == UINT32_MAX || erase_slot(NULL, 0) != 0 || erase_slot(NULL, 1) != 0;
}

static uint32_t random_state;

static uint32_t next(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 24;
}

/* Stripes of two pixels, with noise; each number gives another picture. */
static void draw(int8_t *picture, size_t class, uint32_t number) {
    random_state = number * 2654435761u + 1;
    const uint32_t phase = next() & 3;
    const int contrast = 50 + (int)(next() & 31);
    for (uint32_t i = 0; i < LEARNER_INPUT_COUNT / LEARNER_INPUT_CHANNELS; i++) {
        const uint32_t y = i / LEARNER_INPUT_WIDTH, x = i % LEARNER_INPUT_WIDTH;
        const uint32_t across = class == 0 ? y : class == 1 ? x : class == 2 ? x + y : x + 2 * y;
        const int light = ((across + phase) >> 1 & 1) == 0 ? contrast : -contrast;
        for (uint32_t c = 0; c < LEARNER_INPUT_CHANNELS; c++) {
            picture[i * LEARNER_INPUT_CHANNELS + c] = (int8_t)(light + (int)(next() & 31) - 16);
        }
    }
}

/* Holds the network's memory. */
static learner model;
static int8_t picture[LEARNER_INPUT_COUNT];

/* Of ten pictures from this one on, those of which the network says the right class. */
static uint32_t right(uint32_t from) {
    uint32_t right = 0;
    for (uint32_t number = from; number < from + SHOWN; number++) {
        draw(picture, number % LEARNER_CLASSES, number);
        right += learner_argmax(learner_predict(&model, picture)) == number % LEARNER_CLASSES;
    }
    return right;
}

static void report(const char *when) {
    const uint32_t shown = right(0), others = right(SHOWN);
    print(when);
    print(": right about ");
    print_number(shown);
    print(" of the ten pictures, and about ");
    print_number(others);
    print(" of ten others\n");
}

static const char *reason(int refusal) {
    switch (refusal) {
    case LEARNER_REFUSED_EMPTY:
        return "there is none";
    case LEARNER_REFUSED_UNREADABLE:
        return "the memory cannot be read";
    case LEARNER_REFUSED_HEADER:
        return "its header is damaged";
    case LEARNER_REFUSED_VERSION:
        return "its format has another version";
    case LEARNER_REFUSED_FOREIGN:
        return "it is another network's";
    case LEARNER_REFUSED_INCOMPLETE:
        return "it is incomplete";
    default:
        return "it is damaged";
    }
}

int main(void) {
    if (learner_digest() != LEARNER_DIGEST) {
        print("learner.h and liblearner.a were made from different plans\n");
        return 1;
    }
    if (open_slots() != 0) {
        return 1;
    }
    learner_init(&model);
    const int loaded = learner_load_adaptation(&model, &slots);
    if (loaded == 0) {
        print("an adaptation was loaded\n");
        report("loaded");
        return 0;
    }
    print("no adaptation was loaded: ");
    print(reason(loaded));
    print("\n");
    report("before");
    for (uint32_t pass = 1; pass <= PASSES; pass++) {
        uint64_t losses = 0;
        for (uint32_t number = 0; number < SHOWN; number++) {
            draw(picture, number % LEARNER_CLASSES, number);
            const int32_t loss = learner_train_step(&model, picture, number % LEARNER_CLASSES, RATE);
            if (loss < 0) {
                return 1;
            }
            losses += (uint64_t)loss;
        }
        if (pass == 1 || pass == PASSES) {
            print("pass ");
            print_number(pass);
            print(": the ten losses sum to ");
            /* Of 2^16 parts. */
            print_number((uint32_t)(losses * 1000 >> 16));
            print(" thousandths\n");
        }
    }
    report("after");
    if (learner_train_step(&model, picture, LEARNER_CLASSES, RATE) != LEARNER_LABEL_OUT_OF_RANGE) {
        print("a label that there is not was learnt\n");
        return 1;
    }
    const int exported = learner_export_adaptation(&model, &slots);
    print(exported == 0 ? "the adaptation was exported\n" : "the adaptation could not be exported\n");
    return exported != 0;
}

void finish(int status) {
    const unsigned block[2] = {0x20026, (unsigned)status};
    call(0x20, block);
    for (;;) {
    }
}
