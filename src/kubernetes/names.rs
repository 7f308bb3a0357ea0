//! Names and labels that Service Catalog gave and svcat looks for, to the letter: objects are taken over in place.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA224, digest};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// The longest name of an object that Service Catalog gave.
const LONGEST: usize = 63;

/// Leaves out Secrets of others that change often and hold neither parameters nor logins.
pub const NO_PARAMETERS: &str = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1";

/// The prefix of the labels.
pub const LABEL_PREFIX: &str = "servicecatalog.k8s.io/";

/// The label under which a value is looked up: SHA-224 in hex, since a value may be no legal label.
pub fn label_value(value: &str) -> String {
    HEXLOWER.encode(digest(&SHA224, value.as_bytes()).as_ref())
}

/// The key of a label for a field, such as `spec.externalName`.
pub fn label_key(field: &str) -> String {
    format!("{LABEL_PREFIX}{field}")
}

/// A selector for the objects whose field has that value.
pub fn selector(field: &str, value: &str) -> String {
    format!("{LABEL_PREFIX}{field}={}", label_value(value))
}

/// The name of the class or plan of an OSB id (`GenerateEscapedName` of Service Catalog). What no name may hold, and `z`
/// itself, becomes `z<hex>z`; a name that gets too long is cut and told apart by the id's MD5.
pub fn escaped(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    let mut chars = id.chars().peekable();
    let mut former = None;
    while let Some(c) = chars.next() {
        let (first, last) = (former.is_none(), chars.peek().is_none());
        let keep = match c {
            'a'..='y' | '0'..='9' => true,
            '.' => !first && !last && !matches!(former, Some('.' | '-')),
            '-' => !first && !last && former != Some('.'),
            _ => false,
        };
        if keep {
            name.push(c);
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "z{:x}z", u32::from(c));
        }
        former = Some(c);
    }
    if name.len() <= LONGEST {
        return name;
    }
    // All of it is ASCII by now.
    format!("{}-{}", name[..30].trim_end_matches('.'), HEXLOWER.encode(&Md5::digest(id.as_bytes())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_those_that_svcat_computes() {
        // printf abc | sha224sum
        assert_eq!(label_value("abc"), "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
        assert!(selector("spec.externalName", "abc").starts_with("servicecatalog.k8s.io/spec.externalName=23097d22"));
    }

    #[test]
    fn names_are_those_that_service_catalog_gave() {
        for (id, name) in [
            ("4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468", "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468"),
            ("Zoo", "z5azoo"),
            ("a_b", "az5fzb"),
            ("fizz", "fiz7azz7az"),
            ("-a.", "z2dzaz2ez"),
            ("a..b", "a.z2ezb"),
            ("a-.b-", "a-z2ezbz2dz"),
            ("é", "ze9z"),
        ] {
            assert_eq!(escaped(id), name, "{id}");
        }
        let long = format!("{}.{}", "a".repeat(29), "b".repeat(40));
        let name = escaped(&long);
        assert!(name.starts_with(&format!("{}-", "a".repeat(29))) && name.len() == 62, "{name}");
    }

    proptest! {
        #[test]
        fn every_id_gets_a_legal_name(id in "\\PC{1,80}") {
            let name = escaped(&id);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            prop_assert!(edge(name.chars().next()) && edge(name.chars().last()), "{}", name);
            prop_assert!(name.split('.').all(|part| edge(part.chars().next()) && edge(part.chars().last())), "{}", name);
        }
    }
}
