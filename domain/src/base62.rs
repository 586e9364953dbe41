//! Base62 of fixed width: digits, then upper-case, then lower-case letters, the highest first.
//!
//! A fixed width and the refusal of numbers that are too large give each value exactly one text.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many characters are handled at once: 62¹⁰ fits 64 bits.
const GROUP: usize = 10;
const GROUP_VALUE: u64 = 62u64.pow(10);
/// Room for 320 bits, the lowest first.
type Limbs = [u64; 5];

/// What [`DIGITS`] holds for what is no digit; no digit has one of its two highest bits.
const NONE: u8 = 0xc0;
/// The value of each character.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and it is compiled away")]
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let (mut rest, mut value): (&[u8], u8) = (ALPHABET, 0);
    while let [first, more @ ..] = rest {
        digits[*first as usize] = value;
        (rest, value) = (more, value + 1);
    }
    digits
};

fn character(digit: u64) -> u8 {
    usize::try_from(digit).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'0')
}

/// `number · factor + addend`; `None` when it does not fit.
fn multiply_add(number: &mut [u64], factor: u64, addend: u64) -> Option<()> {
    let mut carry = u128::from(addend);
    for limb in number {
        carry += u128::from(*limb) * u128::from(factor);
        *limb = low(carry);
        carry >>= 64;
    }
    (carry == 0).then_some(())
}

/// Divides `number` by `divisor` and gives the rest.
fn divide(number: &mut Limbs, divisor: u64) -> u64 {
    let mut rest = 0u64;
    for limb in number.iter_mut().rev() {
        let value = (u128::from(rest) << 64) | u128::from(*limb);
        *limb = low(value / u128::from(divisor));
        rest = low(value % u128::from(divisor));
    }
    rest
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low(value: u128) -> u64 {
    value as u64
}

/// Writes `bytes` (at most 40, the highest first) as `W` characters. What needs more than `W`
/// loses its highest part, so the caller picks a `W` that always suffices.
pub(crate) fn encode<const W: usize>(bytes: &[u8]) -> [u8; W] {
    let mut number = Limbs::default();
    for byte in bytes {
        // 40 bytes fit, and callers bring 34
        let _ = multiply_add(&mut number, 256, u64::from(*byte));
    }
    let mut text = [b'0'; W];
    for group in text.rchunks_mut(GROUP) {
        let mut value = divide(&mut number, GROUP_VALUE);
        for place in group.iter_mut().rev() {
            *place = character(value % 62);
            value /= 62;
        }
    }
    text
}

/// Reads what [`encode`] wrote as a number of `N` times 64 bits, the lowest first; `None` for another
/// character or a number that is too large.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u64; N]> {
    let mut number = [0; N];
    // of all characters together, so that there is one branch for all
    let mut seen = 0;
    // the odd ones first: of the others each group is as long as the last
    let (odd, groups) = text.split_at_checked(text.len() % GROUP)?;
    multiply_add(&mut number, 1, value_of(odd, &mut seen))?;
    let (groups, _) = groups.as_chunks::<GROUP>();
    for group in groups {
        multiply_add(&mut number, GROUP_VALUE, value_of(group, &mut seen))?;
    }
    (seen & NONE == 0).then_some(number)
}

/// The value of at most [`GROUP`] characters; what they are is added to `seen`.
#[inline]
fn value_of(group: &[u8], seen: &mut u8) -> u64 {
    group.iter().fold(0, |value, character| {
        let digit = DIGITS.get(usize::from(*character)).copied().unwrap_or(NONE);
        *seen |= digit;
        value * 62 + u64::from(digit & !NONE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_of_fixed_width_and_reads_back() {
        assert_eq!(&encode::<6>(&0u32.to_be_bytes()), b"000000");
        assert_eq!(&encode::<6>(&61u32.to_be_bytes()), b"00000z");
        assert_eq!(&encode::<6>(&u32::MAX.to_be_bytes()), b"4gfFC3");
        assert_eq!(decode(b"4gfFC3"), Some([u32::MAX.into()]));
        let all = [u64::MAX, u64::MAX, u64::MAX, u64::MAX, 0xffff];
        assert_eq!(decode(&encode::<46>(&[0xff; 34])), Some(all));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(decode(b"LygHa16AHYF"), Some([u64::MAX]));
        assert_eq!(decode::<1>(b"LygHa16AHYG"), None, "2^64");
        assert_eq!(decode::<5>(&[b'z'; 80]), None);
        assert_eq!(decode::<1>(b"00000_"), None);
    }
}
