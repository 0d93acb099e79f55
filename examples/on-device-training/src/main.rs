//! Shows a network ten labelled pictures, has it learn them, and keeps what it has learnt: the next start goes on from
//! there.
//!
//! Made for what `smidgen adapt compile --name model` writes for any network of pictures. The pictures are drawn here:
//! stripes that run in another direction for each class.
#![no_std]
#![no_main]

mod board;
mod pictures;

use board::{Slots, print, print_number};
use model::{CLASSES, Input, LOSS_ONE, Model, RATE_ONE, Refusal, argmax};
use pictures::draw;

/// Pictures that are shown, and pictures like them that are not.
const SHOWN: u32 = 10;
/// How often each is shown.
const PASSES: u32 = 20;
const RATE: i32 = RATE_ONE / 100;

static mut MODEL: Model = Model::new();
static mut PICTURE: Input = [0; size_of::<Input>()];

/// The class of a picture.
fn class_of(number: u32) -> usize {
    number as usize % CLASSES
}

/// Of ten pictures from this one on, those of which the network says the right class.
fn right(model: &mut Model, picture: &mut Input, from: u32) -> u32 {
    let mut right = 0;
    for number in from..from + SHOWN {
        draw(picture, class_of(number), number);
        right += u32::from(argmax(model.predict(picture)) == class_of(number));
    }
    right
}

fn report(when: &str, model: &mut Model, picture: &mut Input) {
    let (shown, others) = (right(model, picture, 0), right(model, picture, SHOWN));
    print(when);
    print(": right about ");
    print_number(shown);
    print(" of the ten pictures, and about ");
    print_number(others);
    print(" of ten others\n");
}

/// Shows all pictures once. Gives the sum of the losses, in thousandths; nothing if a label was refused.
fn pass(model: &mut Model, picture: &mut Input) -> Option<u32> {
    let mut losses = 0u64;
    for number in 0..SHOWN {
        draw(picture, class_of(number), number);
        losses += model.train_step(picture, class_of(number), RATE).ok()? as u64;
    }
    Some((losses * 1000 / LOSS_ONE as u64) as u32)
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Empty => "there is none",
        Refusal::Unreadable => "the memory cannot be read",
        Refusal::Header => "its header is damaged",
        Refusal::Version => "its format has another version",
        Refusal::Foreign => "it is another network's",
        Refusal::Incomplete => "it is incomplete",
        Refusal::Damaged => "it is damaged",
    }
}

fn work(model: &mut Model, picture: &mut Input) -> bool {
    let Some(mut slots) = Slots::open() else { return false };
    match model.load_adaptation(&mut slots) {
        Ok(()) => {
            print("an adaptation was loaded\n");
            report("loaded", model, picture);
            return true;
        }
        Err(refusal) => {
            print("no adaptation was loaded: ");
            print(reason(refusal));
            print("\n");
        }
    }
    report("before", model, picture);
    for number in 1..=PASSES {
        let Some(losses) = pass(model, picture) else { return false };
        if number == 1 || number == PASSES {
            print("pass ");
            print_number(number);
            print(": the ten losses sum to ");
            print_number(losses);
            print(" thousandths\n");
        }
    }
    report("after", model, picture);
    if model.train_step(picture, CLASSES, RATE).is_ok() {
        print("a label that there is not was learnt\n");
        return false;
    }
    let exported = model.export_adaptation(&mut slots).is_ok();
    print(if exported { "the adaptation was exported\n" } else { "the adaptation could not be exported\n" });
    exported
}

/// Called when memory is ready; the result is the exit status.
#[unsafe(no_mangle)]
extern "C" fn start() -> u32 {
    // SAFETY: one thread, which comes here once.
    let (model, picture) = unsafe { (&mut *(&raw mut MODEL), &mut *(&raw mut PICTURE)) };
    u32::from(!work(model, picture))
}
