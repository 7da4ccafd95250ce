//! Compares one password with one stored hash like PHP's `password_verify`, within bounds.

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc::PasswordHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Most memory one check may take, in KiB. PHP's default is 64 MiB.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Most work one argon2 check may do, in KiB × passes: sixteen times PHP's default.
pub const MAX_WORK_KIB: u64 = 16 * 4 * 64 * 1024;
/// Most lanes of one argon2 check.
pub const MAX_PARALLELISM: u32 = 16;
/// Highest bcrypt cost: about 1.5 s. PHP's default is 10, since 8.4 it is 12.
pub const MAX_BCRYPT_COST: u32 = 15;
/// Longest hash that is checked, in bytes.
pub const MAX_HASH: usize = 512;
/// Longest password that is checked, in bytes; Nextcloud allows 469.
pub const MAX_PASSWORD: usize = 4096;

/// Why a hash can't be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableHash {
    /// PHP's `password_hash` writes no such hash.
    #[error("not a bcrypt ($2y$), argon2i or argon2id hash")]
    Unknown,
    /// The hash needs more memory or time than a check may take.
    #[error("the hash's cost is above the limit")]
    TooCostly,
}

/// Whether `password` fits `hash`: bcrypt (`$2y$`, `$2b$`, `$2a$`), argon2i or argon2id.
///
/// Blocks the thread, for 200 ms and 64 MiB with PHP's defaults. bcrypt compares the first 72 bytes
/// as in PHP; a password with a NUL byte fits no bcrypt hash (PHP refuses to make one).
///
/// # Errors
/// [`UnusableHash`] when the hash can't be compared, whatever the password is.
pub fn check(hash: &str, password: &str) -> Result<bool, UnusableHash> {
    if hash.len() > MAX_HASH {
        return Err(UnusableHash::Unknown);
    }
    if password.len() > MAX_PASSWORD {
        return Ok(false);
    }
    if hash.starts_with("$argon2") { argon2(hash, password) } else { bcrypt(hash, password) }
}

fn bcrypt(hash: &str, password: &str) -> Result<bool, UnusableHash> {
    if !["$2y$", "$2b$", "$2a$"].iter().any(|start| hash.starts_with(start)) {
        return Err(UnusableHash::Unknown);
    }
    let parts: bcrypt::HashParts = hash.parse().map_err(|_| UnusableHash::Unknown)?;
    if parts.get_cost() > MAX_BCRYPT_COST {
        return Err(UnusableHash::TooCostly);
    }
    if password.contains('\0') {
        return Ok(false);
    }
    bcrypt::verify(password, hash).map_err(|_| UnusableHash::Unknown)
}

fn argon2(hash: &str, password: &str) -> Result<bool, UnusableHash> {
    let parsed = PasswordHash::new(hash).map_err(|_| UnusableHash::Unknown)?;
    let algorithm = match parsed.algorithm.as_str() {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        _ => return Err(UnusableHash::Unknown),
    };
    // Without `v=` it is the version before 1.3, as in libargon2.
    let version =
        Version::try_from(parsed.version.unwrap_or(0x10)).map_err(|_| UnusableHash::Unknown)?;
    let params = Params::try_from(&parsed).map_err(|_| UnusableHash::Unknown)?;
    let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else {
        return Err(UnusableHash::Unknown);
    };
    affordable(&params)?;
    let mut out = Zeroizing::new(vec![0; expected.len()]);
    Argon2::new(algorithm, version, params)
        .hash_password_into(password.as_bytes(), salt.as_ref(), &mut out)
        .map_err(|_| UnusableHash::TooCostly)?;
    Ok(out.ct_eq(expected.as_bytes()).into())
}

fn affordable(params: &Params) -> Result<(), UnusableHash> {
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    let within = params.m_cost() <= MAX_MEMORY_KIB
        && work <= MAX_WORK_KIB
        && params.p_cost() <= MAX_PARALLELISM;
    within.then_some(()).ok_or(UnusableHash::TooCostly)
}

#[cfg(test)]
mod tests {
    use super::{UnusableHash, check};

    // All made by the reference implementations in C (argon2-cffi, bcrypt), not by our crates.
    const PASSWORD: &str = "Grüße, w@rld!";
    const ARGON2ID: &str = "$argon2id$v=19$m=65536,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$HqlaCBtZkqfPKQ23PLr4G3/HbtBpOY3ypwYCyyIO3mk";
    const ARGON2ID_TWO_LANES: &str = "$argon2id$v=19$m=1024,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$u5YhQfuIn2N9Oz/vbO2IoiQG7P3Toq5aLlQ60U+ik0Q";
    const ARGON2I: &str = "$argon2i$v=19$m=1024,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nHdIMSGT8fxF6Bue8dsHEDWHL7pKY+tU8qcRVsdwvnM";
    const ARGON2I_BEFORE_1_3: &str = "$argon2i$m=1024,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$alc1CzcUUec4TeZ4i1Mv82USOHWJBysnFctr+3ySMF0";
    const ARGON2D: &str = "$argon2d$v=19$m=1024,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$F9K98Zmwi1ajgp3pzy9HPsI8Sb5O3zVi2bqSqYiFmJo";
    const BCRYPT_2B: &str = "$2b$05$BSsiV93HeqXFtsP9aiQEoeo46zX1oG.4v5Dgc4nHZPmpheIl/vXf.";
    const BCRYPT_2Y: &str = "$2y$05$VpulAdBkE6RHjRCLez/ZR.EnKr/h0TwxGK8PxMnMmaACY8QYPIcPS";
    const BCRYPT_2A: &str = "$2a$05$VgGj4DfizQZXsobTH6.jsuKGhcomCBNovXqyELLG3MdEswYigvJCu";
    const BCRYPT_OF_72_X: &str = "$2y$05$hQ9dY1zx.n/1IU4YuW72ieJILABNDHvsxLgnpfEEmMgqqxAtPkQji";

    #[test]
    fn the_right_password_fits_every_kind_and_a_wrong_one_none() {
        for hash in
            [ARGON2ID, ARGON2ID_TWO_LANES, ARGON2I, ARGON2I_BEFORE_1_3, BCRYPT_2B, BCRYPT_2Y]
        {
            assert_eq!(check(hash, PASSWORD), Ok(true), "{hash}");
            assert_eq!(check(hash, "Grüße, w@rld"), Ok(false), "{hash}");
            assert_eq!(check(hash, ""), Ok(false), "{hash}");
        }
        assert_eq!(check(BCRYPT_2A, "plain ascii"), Ok(true));
    }

    #[test]
    fn bcrypt_compares_72_bytes_as_php_does() {
        assert_eq!(check(BCRYPT_OF_72_X, &"x".repeat(72)), Ok(true));
        assert_eq!(check(BCRYPT_OF_72_X, &format!("{}y", "x".repeat(72))), Ok(true));
        assert_eq!(check(BCRYPT_OF_72_X, &"x".repeat(71)), Ok(false));
    }

    #[test]
    fn a_nul_byte_fits_no_bcrypt_hash() {
        assert_eq!(check(BCRYPT_2A, "plain ascii\0"), Ok(false));
        assert_eq!(check(BCRYPT_2A, "plain ascii\0and more"), Ok(false));
    }

    #[test]
    fn a_hostile_hash_costs_nothing() {
        let with = |params: &str| {
            format!(
                "$argon2id$v=19${params}$MDEyMzQ1Njc4OWFiY2RlZg$PUgivvSaSpSuov7zex2UEHN6zByWl1R9lxIYvZkE/ko"
            )
        };
        for params in [
            "m=10485760,t=1,p=1",
            "m=4294967295,t=1,p=1",
            "m=64,t=4294967295,p=1",
            "m=131072,t=129,p=1",
            "m=1024,t=1,p=128",
        ] {
            assert_eq!(check(&with(params), "x"), Err(UnusableHash::TooCostly), "{params}");
        }
        assert_eq!(check(&BCRYPT_2Y.replace("$05$", "$31$"), "x"), Err(UnusableHash::TooCostly));
    }

    #[test]
    fn what_php_does_not_write_is_unknown() {
        for hash in [
            "",
            "$",
            ARGON2D,
            "$argon2id$v=19$m=1024,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
            "$argon2id$v=19$",
            "$argon2id$v=18$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$PUgivvSaSpSuov7zex2UEHN6zByWl1R9lxIYvZkE/ko",
            "$2x$05$VpulAdBkE6RHjRCLez/ZR.EnKr/h0TwxGK8PxMnMmaACY8QYPIcPS",
            "$2y$05$short",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            "3|$argon2id$v=19$m=64,t=1,p=1$",
        ] {
            assert_eq!(check(hash, PASSWORD), Err(UnusableHash::Unknown), "{hash}");
        }
        let long = format!("$argon2id${}", "a".repeat(4096));
        assert_eq!(check(&long, PASSWORD), Err(UnusableHash::Unknown));
    }

    #[test]
    fn the_dummy_is_as_costly_as_phps_default_and_fits_nothing() {
        let cost = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(super::super::DUMMY), cost(ARGON2ID));
        assert_eq!(check(super::super::DUMMY, PASSWORD), Ok(false));
    }
}
