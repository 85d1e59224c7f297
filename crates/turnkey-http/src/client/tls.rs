//! Whom a client trusts, and how it says what was wrong with TLS.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::ErrorCode;

/// The name of HTTP/2 among protocols (RFC 9113, section 3.2).
pub(super) const HTTP2: &[u8] = b"h2";

/// The system's roots, as its own tools have them; read once, when the first needs them. What of them cannot be read is not
/// trusted.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// Whether a file of PEM has certificates, and no other than can be trusted as roots.
#[must_use]
pub fn has_certificates(pem: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    add(&mut roots, pem) && !roots.is_empty()
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> bool {
    let mut certificates = CertificateDer::pem_slice_iter(pem);
    certificates.all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()))
}

/// For a client that trusts these besides the system's.
pub(super) fn config(pems: &[Vec<u8>]) -> Result<Arc<ClientConfig>, ErrorCode> {
    let mut roots = Arc::clone(&SYSTEM);
    for pem in pems {
        if !add(Arc::make_mut(&mut roots), pem) {
            return Err(ErrorCode::ConfigurationError);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| ErrorCode::ConfigurationError)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why no TLS came about.
pub(super) fn failure(error: &io::Error) -> ErrorCode {
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => ErrorCode::TlsCertificateError,
        Some(Error::AlertReceived(alert)) => {
            ErrorCode::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        Some(_) => ErrorCode::TlsProtocolError,
        None => ErrorCode::ConnectionTerminated,
    }
}
