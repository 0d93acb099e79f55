//! A network that takes a picture row by row over a serial line, on an STM32F746G-DISCO, beside a task that blinks.
//!
//! The board asks for each row with `+` and gets it as raw pixels (three bytes of colour each); the whole picture is never in
//! memory. After the last row it answers with the class and its score. The inference gives way to the other tasks after every run of
//! its schedule, so the light goes on blinking without interrupts or a second stack.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::peripherals::{DMA2_CH2, DMA2_CH7, USART1};
use embassy_stm32::usart::{Config, Uart};
use embassy_stm32::{bind_interrupts, dma, usart};
use embassy_time::Timer;
use model::{INPUT_ROWS, Model, Row, Status};
use panic_halt as _;

bind_interrupts!(struct Interrupts {
    USART1 => usart::InterruptHandler<USART1>;
    DMA2_STREAM2 => dma::InterruptHandler<DMA2_CH2>;
    DMA2_STREAM7 => dma::InterruptHandler<DMA2_CH7>;
});

#[embassy_executor::task]
async fn blink(mut light: Output<'static>) {
    loop {
        light.toggle();
        Timer::after_millis(100).await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let board = embassy_stm32::init(Default::default());
    if let Ok(task) = blink(Output::new(board.PI1, Level::Low, Speed::Low)) {
        spawner.spawn(task);
    }
    let line =
        Uart::new(board.USART1, board.PB7, board.PA9, board.DMA2_CH7, board.DMA2_CH2, Interrupts, Config::default());
    if let Ok(mut line) = line {
        // An error on the line (noise, a byte lost) ends a picture; the next one begins afresh.
        loop {
            let _ = picture(&mut line).await;
        }
    }
}

/// Takes one picture and answers with what is on it.
async fn picture(line: &mut Uart<'_, embassy_stm32::mode::Async>) -> Result<(), usart::Error> {
    let mut model = Model::new();
    let mut pixels = [0u8; size_of::<Row>()];
    for _ in 0..INPUT_ROWS {
        while model.step() == Status::Running {
            yield_now().await;
        }
        line.write(b"+").await?;
        line.read(&mut pixels).await?;
        model.give_row(&pixels.map(model::pixel));
    }
    while model.step() == Status::Running {
        yield_now().await;
    }
    let mut best = (0, i8::MIN);
    for (class, &score) in model.output().iter().enumerate() {
        if score > best.1 {
            best = (class as u8, score);
        }
    }
    // The class as a letter and the score as a byte from 0.
    line.write(&[b'a' + best.0, best.1 as u8 ^ 0x80]).await
}
