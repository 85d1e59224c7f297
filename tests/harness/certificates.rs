//! Certificates of a test's own: whoever vouches, and a server that is vouched for.

use std::path::{Path, PathBuf};

use super::Folder;

/// Files of PEM.
pub(crate) struct Certificates {
    pub(crate) folder: Folder,
    /// To be trusted.
    pub(crate) root: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// For a server of these names.
    pub(crate) fn new(names: &[&str]) -> Self {
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // Who has the name of whoever vouches for it seems to vouch for itself.
        authority.distinguished_name.push(rcgen::DnType::CommonName, "whoever vouches");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let root = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let leaf = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let folder = Folder::new();
        let (root, certificate) = (folder.file("root.pem", root), folder.file("server.pem", leaf.pem()));
        let key = folder.file("key.pem", key.serialize_pem());
        Certificates { folder, root, certificate, key }
    }

    /// The flags of a server that has them.
    pub(crate) fn flags(&self) -> [&Path; 4] {
        ["--tls-cert".as_ref(), &self.certificate, "--tls-key".as_ref(), &self.key]
    }
}
