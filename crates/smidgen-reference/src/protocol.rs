//! The bytes that go to the worker and come back; worker.py documents them.

use crate::{Case, Error, Kernels, Outcome, Sample, version};
use std::borrow::Cow;
use std::io::{self, Read, Write};

const DEFAULT_KERNELS: u8 = 1;
const ALL_TENSORS: u8 = 2;

const READY: u8 = 2;

/// True once the worker has imported all it needs; false if it ended instead.
pub fn read_ready(from: &mut impl Read) -> bool {
    let mut byte = [0];
    from.read_exact(&mut byte).is_ok() && byte == [READY]
}

pub fn write_case(to: &mut impl Write, case: &Case) -> io::Result<()> {
    let kernels = if case.kernels == Kernels::Default { DEFAULT_KERNELS } else { 0 };
    let tensors = if case.intermediates { ALL_TENSORS } else { 0 };
    to.write_all(&[kernels | tensors])?;
    let model = match case.kernels {
        Kernels::Reference => version::known(&case.model),
        Kernels::Default => Cow::Borrowed(&*case.model),
    };
    write_blob(to, &model)?;
    write_count(to, case.samples.len())?;
    for sample in &case.samples {
        write_count(to, sample.len())?;
        for input in sample {
            write_blob(to, input)?;
        }
    }
    Ok(())
}

pub fn read_result(from: &mut impl Read, samples: usize) -> io::Result<Result<Outcome, Error>> {
    let mut status = [0];
    from.read_exact(&mut status)?;
    if status != [0] {
        return Ok(Err(Error::Refused(String::from_utf8_lossy(&read_blob(from)?).into_owned())));
    }
    let mut seconds = [0; 8];
    from.read_exact(&mut seconds)?;
    let samples = (0..samples).map(|_| read_sample(from)).collect::<io::Result<_>>()?;
    Ok(Ok(Outcome { samples, seconds: f64::from_le_bytes(seconds) }))
}

fn read_sample(from: &mut impl Read) -> io::Result<Sample> {
    let outputs = (0..read_u32(from)?).map(|_| read_blob(from)).collect::<io::Result<_>>()?;
    let tensors = (0..read_u32(from)?).map(|_| Ok((read_u32(from)?, read_blob(from)?))).collect::<io::Result<_>>()?;
    Ok(Sample { outputs, tensors })
}

fn write_count(to: &mut impl Write, count: usize) -> io::Result<()> {
    let count = u32::try_from(count).map_err(io::Error::other)?;
    to.write_all(&count.to_le_bytes())
}

fn write_blob(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write_count(to, bytes.len())?;
    to.write_all(bytes)
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_blob(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_u32(from)?;
    let mut bytes = Vec::new();
    let read = from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if read as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}
