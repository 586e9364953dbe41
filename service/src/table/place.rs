//! Where a fact belongs, and what of that fits into a few bits.

use super::Next;

/// The hash of a key, and so where its fact belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(super) u64);

impl Place {
    pub(super) fn mark(self) -> u8 {
        let [mark, ..] = self.0.to_le_bytes();
        mark
    }

    pub(super) fn part(self, parts: usize) -> usize {
        let [_, part, ..] = self.0.to_le_bytes();
        // there is a power of two of them
        usize::from(part) & parts.saturating_sub(1)
    }

    /// The two buckets, of so many; they differ as soon as there are two.
    pub(super) fn buckets(self, count: usize) -> [usize; 2] {
        let bits = |from: u32| usize::try_from((self.0 >> from) & 0xff_ffff).unwrap_or_default();
        let (first, apart) = (bits(16), bits(40));
        [first, first ^ (apart | 1)].map(|at| at & (count - 1))
    }
}

/// As much of a hash as says in which bucket a fact would be first, and where in it, mostly: it can be
/// looked at before what leads there is read. A hint and nothing more; zero is none.
///
/// Seven bits of the mark, six of the part, fourteen of the bucket: of more than three million facts
/// it leads to some only. Above them a bit says in which table.
#[derive(Clone, Copy, Default)]
pub(super) struct Lead(pub(super) u32);

impl Lead {
    pub(super) const MARK: u8 = 0x7f;
    const PART: u32 = 0x3f;
    const BUCKET: u32 = 0x3fff;
    const TO_TEAM: u32 = 1 << 27;

    pub(super) fn to(next: Next<u64>) -> Self {
        let (hash, table) = match next {
            Next::Principal(hash) => (hash, 0),
            Next::Team(hash) => (hash, Self::TO_TEAM),
        };
        let [mark, part, low, high, ..] = hash.to_le_bytes().map(u32::from);
        Self(
            mark & u32::from(Self::MARK)
                | (part & Self::PART) << 7
                | ((low | high << 8) & Self::BUCKET) << 13
                | table,
        )
    }

    pub(super) fn place(self) -> Option<Next<Place>> {
        let Self(bits) = self;
        let (mark, part, bucket) =
            (bits & u32::from(Self::MARK), bits >> 7 & Self::PART, bits >> 13 & Self::BUCKET);
        let place = Place(u64::from(mark | part << 8 | bucket << 16));
        let next =
            if bits & Self::TO_TEAM == 0 { Next::Principal(place) } else { Next::Team(place) };
        (bits != 0).then_some(next)
    }
}

/// A mark, of which not all need be known.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) bits: u8,
    /// A one for each bit that is known.
    pub(super) known: u8,
}

impl Mark {
    pub(super) const fn whole(bits: u8) -> Self {
        Self { bits, known: u8::MAX }
    }

    pub(super) const fn is_whole(self) -> bool {
        self.known == u8::MAX
    }
}
