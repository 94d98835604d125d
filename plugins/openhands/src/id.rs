//! Ids that nobody else has.

use windlass_sdk::random;

/// A random UUID.
pub(crate) fn uuid() -> String {
    written(random::bytes(16))
}

/// So many random bytes in hexadecimal: a password for one server.
pub(crate) fn password() -> String {
    hexadecimal(&random::bytes(32))
}

/// The bytes as a UUID of version 4.
fn written(mut bytes: Vec<u8>) -> String {
    bytes.resize(16, 0);
    for (place, mask, bits) in [(6, 0x0F, 0x40), (8, 0x3F, 0x80)] {
        if let Some(byte) = bytes.get_mut(place) {
            *byte = *byte & mask | bits;
        }
    }
    let digits = hexadecimal(&bytes);
    let mut uuid = String::with_capacity(36);
    for (place, digit) in digits.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn bytes_become_a_uuid() {
        assert_eq!(written(vec![0xFF; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(written(vec![0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(written(Vec::new()), "00000000-0000-4000-8000-000000000000");
    }
}
