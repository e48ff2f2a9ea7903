//! TLS for the listener: certificate and key from PEM files, HTTP/2 and HTTP/1.1 by ALPN.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// `tls = { cert, key }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate first, then its issuers.
    pub cert: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
}

/// The certificate or key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("{}: {detail}; [server] tls needs cert and key as PEM files", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Certificate and key don't go together, or are of no known kind.
    #[error("{} and {} can't be used together: {source}", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// Reads the files.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let file_fault = |path: &Path, detail: String| TlsError::File { path: path.into(), detail };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect);
    let chain = chain.map_err(|e| file_fault(&files.cert, e.to_string()))?;
    if chain.is_empty() {
        return Err(file_fault(&files.cert, "holds no certificate".into()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| file_fault(&files.key, e.to_string()))?;
    let pair_fault = |source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(pair_fault)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(pair_fault)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
