//! Keccak-256 as Ethereum and Monero use it: the sponge of FIPS 202 with the padding of the first submission (`01`, not SHA-3's
//! `06`).

/// How many bytes of input one permutation takes in.
const RATE: usize = 136;

/// The 25 lanes, by column and row: lane `x + 5 y`.
type State = [u64; 25];

/// The hash.
pub(super) fn hash(input: &[u8]) -> [u8; 32] {
    let mut state = [0; 25];
    let mut rest = input;
    while let Some((block, more)) = rest.split_at_checked(RATE) {
        take_in(&mut state, block);
        rest = more;
    }
    let mut last = [0; RATE];
    last.iter_mut().zip(rest.iter().chain(&[1])).for_each(|(to, from)| *to = *from);
    if let Some(byte) = last.last_mut() {
        *byte |= 0x80;
    }
    take_in(&mut state, &last);
    let mut hash = [0; 32];
    let bytes = state.iter().flat_map(|lane| lane.to_le_bytes());
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    hash
}

fn take_in(state: &mut State, block: &[u8]) {
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
    permute(state);
}

/// Twenty-four rounds. The constants of a round come from a register of eight bits (FIPS 202, algorithm 5).
fn permute(state: &mut State) {
    let mut register = 1_u8;
    for _ in 0..24 {
        mix_columns(state);
        turn_and_move(state);
        mix_rows(state);
        for bit in 0..7 {
            if let (1, Some(lane)) = (register & 1, state.first_mut()) {
                *lane ^= 1 << ((1_u32 << bit) - 1);
            }
            register = register << 1 ^ if register >> 7 == 1 { 0x71 } else { 0 };
        }
    }
}

/// θ: each lane takes in the parities of two columns.
fn mix_columns(state: &mut State) {
    let mut parity = [0_u64; 5];
    for row in state.as_chunks::<5>().0 {
        parity.iter_mut().zip(row).for_each(|(sum, lane)| *sum ^= lane);
    }
    let [a, b, c, d, e] = parity;
    let change =
        [e ^ b.rotate_left(1), a ^ c.rotate_left(1), b ^ d.rotate_left(1), c ^ e.rotate_left(1), d ^ a.rotate_left(1)];
    for row in state.as_chunks_mut::<5>().0 {
        row.iter_mut().zip(change).for_each(|(lane, change)| *lane ^= change);
    }
}

/// ρ and π: all lanes but the first go round one path, turned by triangular numbers.
fn turn_and_move(state: &mut State) {
    let (mut x, mut y) = (1, 0);
    let Some(mut moving) = state.get(1).copied() else { return };
    for step in 1..25_u32 {
        (x, y) = (y, (2 * x + 3 * y) % 5);
        if let Some(lane) = state.get_mut(x + 5 * y) {
            let turned = moving.rotate_left(step * (step + 1) / 2 % 64);
            moving = core::mem::replace(lane, turned);
        }
    }
}

/// χ: each lane takes in the two to its right.
fn mix_rows(state: &mut State) {
    for row in state.as_chunks_mut::<5>().0 {
        let [a, b, c, d, e] = *row;
        *row = [a ^ (!b & c), b ^ (!c & d), c ^ (!d & e), d ^ (!e & a), e ^ (!a & b)];
    }
}
