//! Name and value pairs as a proxy hands them over: headers, verified claims.
//!
//! The format is proxy-wasm's (ABI 0.2.1, "serialized map"): the number of pairs, the two lengths of each (32 bits, little
//! endian), then each name and value, a zero byte behind both. It is read in place: a request costs one buffer.

/// A list of pairs in the order they came. A name may come more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    serialized: Vec<u8>,
}

impl Pairs {
    /// Takes what a proxy handed over. What is cut or malformed reads as fewer pairs.
    #[must_use]
    pub fn from_serialized(serialized: Vec<u8>) -> Self {
        Self { serialized }
    }

    /// Serializes a list of pairs.
    pub fn from_list<N: AsRef<[u8]>, V: AsRef<[u8]>>(list: &[(N, V)]) -> Self {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut serialized = u32::try_from(list.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        for (name, value) in list {
            serialized.extend(length(name.as_ref()));
            serialized.extend(length(value.as_ref()));
        }
        for (name, value) in list {
            for text in [name.as_ref(), value.as_ref()] {
                serialized.extend_from_slice(text);
                serialized.push(0);
            }
        }
        Self { serialized }
    }

    /// The serialized form, as a proxy takes it.
    #[must_use]
    pub fn as_serialized(&self) -> &[u8] {
        &self.serialized
    }

    /// All pairs in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        let (count, rest) = read_u32(&self.serialized).unwrap_or((0, &[]));
        let table = usize::try_from(count).ok().and_then(|count| count.checked_mul(8));
        let (lengths, texts) = table.and_then(|table| rest.split_at_checked(table)).unwrap_or((&[], &[]));
        Iter { lengths, texts }
    }

    /// All values of a name, in order. Names compare byte for byte: a proxy hands header names over in lower case.
    pub fn all<'p>(&'p self, name: &[u8]) -> impl Iterator<Item = &'p [u8]> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The same without some names.
    #[must_use]
    pub fn without(&self, names: &[&[u8]]) -> Self {
        let kept: Vec<(&[u8], &[u8])> = self.iter().filter(|(name, _)| !names.contains(name)).collect();
        Self::from_list(&kept)
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

impl<'p> IntoIterator for &'p Pairs {
    type Item = (&'p [u8], &'p [u8]);
    type IntoIter = Iter<'p>;

    fn into_iter(self) -> Iter<'p> {
        self.iter()
    }
}

/// Walks over [`Pairs`].
#[derive(Clone, Debug)]
pub struct Iter<'p> {
    lengths: &'p [u8],
    texts: &'p [u8],
}

impl<'p> Iterator for Iter<'p> {
    type Item = (&'p [u8], &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_length, rest) = read_u32(self.lengths)?;
        let (value_length, lengths) = read_u32(rest)?;
        let (name, texts) = read_text(self.texts, name_length)?;
        let (value, texts) = read_text(texts, value_length)?;
        (self.lengths, self.texts) = (lengths, texts);
        Some((name, value))
    }
}

fn read_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// A text and what follows the zero byte behind it.
fn read_text(bytes: &[u8], length: u32) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    let (_zero, rest) = rest.split_first()?;
    Some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duplicates_and_empty_texts_survive() {
        let list: &[(&[u8], &[u8])] = &[(b"a", b"1"), (b"b", b""), (b"a", b"\xff\0x")];
        let pairs = Pairs::from_list(list);
        assert_eq!(pairs.iter().collect::<Vec<_>>(), list);
        assert_eq!(pairs.all(b"a").collect::<Vec<_>>(), [b"1".as_slice(), b"\xff\0x"]);
        assert_eq!(pairs.get(b"c"), None);
        assert_eq!(pairs.without(&[b"a", b"c"]).iter().collect::<Vec<_>>(), [(&b"b"[..], &b""[..])]);
    }

    proptest! {
        #[test]
        fn any_list_comes_back(list: Vec<(Vec<u8>, Vec<u8>)>) {
            let pairs = Pairs::from_list(&list);
            let back: Vec<_> = pairs.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(back, list);
        }

        #[test]
        fn any_bytes_are_read_without_fault(bytes: Vec<u8>) {
            let claimed = bytes.len();
            prop_assert!(Pairs::from_serialized(bytes).iter().count() <= claimed);
        }

        #[test]
        fn a_cut_form_reads_as_a_beginning(list: Vec<(Vec<u8>, Vec<u8>)>, keep in 0.0..1.0) {
            let mut serialized = Pairs::from_list(&list).as_serialized().to_vec();
            serialized.truncate((serialized.len() as f64 * keep) as usize);
            let cut = Pairs::from_serialized(serialized);
            for (read, written) in cut.iter().zip(&list) {
                prop_assert_eq!(read.0, &written.0[..]);
                prop_assert_eq!(read.1, &written.1[..]);
            }
        }
    }
}
