//! All that training goes on from, as bytes: continuing from them gives the bits that going on would have given.
//!
//! Layout, little endian: a magic line; the fingerprint of the network and the optimiser; step and seed; five arrays of
//! f32 (parameters, state, momentum, squares, average), each after its length; the FNV-1a hash of everything before.

use crate::error::TrainError;
use crate::trainer::Trainer;

const MAGIC: &[u8] = b"smidgen checkpoint 1\n";

impl Trainer {
    /// Parameters, normalisations' state, momentum, average, step and seed, as bytes.
    ///
    /// The order of the data is the caller's: make it follow from the seed and the step.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for word in [self.fingerprint(), self.step, self.seed] {
            bytes.extend(word.to_le_bytes());
        }
        for array in [&self.parameters, &self.state, &self.first, &self.second, &self.average] {
            bytes.extend((array.len() as u64).to_le_bytes());
            bytes.extend(array.iter().flat_map(|x| x.to_le_bytes()));
        }
        let hash = fnv(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    /// Goes on from a checkpoint of the same network and optimiser.
    ///
    /// # Errors
    /// If the bytes are no such checkpoint; nothing is changed then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let fail = |reason| TrainError::Checkpoint { reason };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| fail("it does not begin as one"))?;
        let (body, hash) = bytes.split_last_chunk::<8>().ok_or_else(|| fail("it is cut short"))?;
        if u64::from_le_bytes(*hash) != fnv(body) {
            return Err(fail("it is damaged or cut short"));
        }
        let mut reader = Reader(&rest[..rest.len().saturating_sub(8)]);
        let fingerprint = reader.word().ok_or_else(|| fail("it is cut short"))?;
        if fingerprint != self.fingerprint() {
            return Err(fail("it is of another network, optimiser or kind of average"));
        }
        let mut read = || -> Option<_> {
            let (step, seed) = (reader.word()?, reader.word()?);
            let lens = [&self.parameters, &self.state, &self.first, &self.second, &self.average].map(Vec::len);
            let mut arrays = Vec::new();
            for len in lens {
                arrays.push(reader.floats(len)?);
            }
            reader.0.is_empty().then_some((step, seed, arrays))
        };
        let (step, seed, arrays) = read().ok_or_else(|| fail("its arrays have other sizes"))?;
        let own = [&mut self.parameters, &mut self.state, &mut self.first, &mut self.second, &mut self.average];
        own.into_iter().zip(arrays).for_each(|(own, array)| *own = array);
        (self.step, self.seed) = (step, seed);
        self.forget_packed();
        Ok(())
    }

    /// Tells networks and optimisers apart: the names, shapes and roles of parameters, and which arrays there are.
    fn fingerprint(&self) -> u64 {
        let mut text = format!("{} {} {}", self.state.len(), self.second.len(), self.average.len());
        for p in self.net.parameters() {
            text.push_str(&format!("\n{} {:?} {:?}", p.name, p.shape, p.role));
        }
        fnv(text.as_bytes())
    }
}

/// Fowler, Noll and Vo's hash, variant 1a, of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    /// An array of as many floats as there must be.
    fn floats(&mut self, len: usize) -> Option<Vec<f32>> {
        if self.word()? != len as u64 {
            return None;
        }
        let (floats, rest) = self.0.split_at_checked(len.checked_mul(4)?)?;
        self.0 = rest;
        Some(floats.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }
}
