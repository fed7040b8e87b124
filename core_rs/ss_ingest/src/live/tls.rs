//! RTSP over TLS: a tunnel from a loopback port to the camera.
//!
//! libav's own TLS does not check whom it talks to, at least up to 5.1, and
//! a password would go to anybody. So rustls speaks TLS, and libav speaks
//! plain RTSP to a port of this process that takes one connection only.
//! A camera's certificate is rarely signed by anybody: it may be pinned by
//! its SHA-256 fingerprint instead.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use ss_model::{Error, Result};

use super::address::Address;

const PORT: u16 = 322;

/// Trusts one certificate only, the one with this SHA-256.
#[derive(Debug)]
struct Pinned {
    sha256: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let found = ring::digest::digest(&ring::digest::SHA256, certificate);
        if found.as_ref() == self.sha256 {
            return Ok(ServerCertVerified::assertion());
        }
        let mut what = "the certificate has fingerprint ".to_owned();
        for byte in found.as_ref() {
            let _ = write!(what, "{byte:02x}"); // into a String, which takes everything
        }
        Err(rustls::Error::General(what + ", expected another"))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The 32 bytes of a fingerprint in hexadecimal digits, colons allowed.
///
/// # Errors
/// `InvalidInput` for anything else.
pub fn fingerprint(text: &str) -> Result<Vec<u8>> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let bytes = (0..digits.len() / 2).map(|i| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok());
    match bytes.collect::<Option<Vec<u8>>>() {
        Some(bytes) if bytes.len() == 32 && digits.len() == 64 => Ok(bytes),
        _ => Err(Error::invalid("tls_fingerprint: expected the 64 hexadecimal digits of a SHA-256")),
    }
}

fn client(pinned: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |e: &dyn std::fmt::Display| Error::unavailable(format!("TLS: {e}"));
    let verifier: Arc<dyn ServerCertVerifier> = if let Some(text) = pinned {
        Arc::new(Pinned { sha256: fingerprint(text)?, provider: Arc::clone(&provider) })
    } else {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        builder.build().map_err(|e| failed(&e))?
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// An open tunnel; it closes when it is dropped.
pub struct Tunnel {
    camera: TcpStream,
    /// Where libav finds it.
    pub port: u16,
}

impl Tunnel {
    /// Connect to the camera, look at its certificate, and wait for one
    /// connection on a loopback port.
    ///
    /// # Errors
    /// `Unavailable` when the camera does not answer or shows another
    /// certificate than is trusted.
    pub fn open(address: &Address, pinned: Option<&str>, timeout: Duration) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::unavailable(format!("TLS: {e}"));
        let place = (address.host.as_str(), address.port.unwrap_or(PORT));
        let found: Vec<SocketAddr> = place.to_socket_addrs().map_err(|e| failed(&e))?.collect();
        let mut camera = Err(Error::unavailable("TLS: the host has no address"));
        for one in found {
            camera = TcpStream::connect_timeout(&one, timeout).map_err(|e| failed(&e));
            if camera.is_ok() {
                break;
            }
        }
        let mut camera = camera?;
        let name = ServerName::try_from(address.host.clone()).map_err(|e| failed(&e))?;
        let mut tls = ClientConnection::new(Arc::new(client(pinned)?), name).map_err(|e| failed(&e))?;
        camera.set_read_timeout(Some(timeout)).map_err(|e| failed(&e))?;
        camera.set_write_timeout(Some(timeout)).map_err(|e| failed(&e))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut camera).map_err(|e| failed(&e))?;
        }
        // From here on the reader of the tunnel's other end has the patience.
        camera.set_read_timeout(None).map_err(|e| failed(&e))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| failed(&e))?;
        let port = listener.local_addr().map_err(|e| failed(&e))?.port();
        let outside = camera.try_clone().map_err(|e| failed(&e))?;
        std::thread::Builder::new()
            .name("rtsps".into())
            .spawn(move || carry(&listener, &outside, tls))
            .map_err(|e| failed(&e))?;
        Ok(Self { camera, port })
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Whoever waits in it is woken; both threads end.
        let _ = self.camera.shutdown(Shutdown::Both);
    }
}

/// Carry bytes both ways until one side closes.
fn carry(listener: &TcpListener, camera: &TcpStream, tls: ClientConnection) {
    let Some(inside) = accept(listener, camera) else { return };
    let tls = Mutex::new(tls);
    std::thread::scope(|scope| {
        let inward = std::thread::Builder::new().name("rtsps in".into());
        let spawned = inward.spawn_scoped(scope, || {
            let _ = from_camera(camera, &inside, &tls);
            let _ = inside.shutdown(Shutdown::Both);
            let _ = camera.shutdown(Shutdown::Both);
        });
        if spawned.is_ok() {
            let _ = to_camera(camera, &inside, &tls);
        }
        let _ = inside.shutdown(Shutdown::Both);
        let _ = camera.shutdown(Shutdown::Both);
    });
}

/// The one connection that is expected, soon; none when the camera has gone.
fn accept(listener: &TcpListener, camera: &TcpStream) -> Option<TcpStream> {
    listener.set_nonblocking(true).ok()?;
    for _ in 0..1000 {
        match listener.accept() {
            Ok((inside, _)) => {
                inside.set_nonblocking(false).ok()?;
                return Some(inside);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                camera.peer_addr().ok()?;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(_) => return None,
        }
    }
    None
}

fn from_camera(
    mut camera: &TcpStream,
    mut inside: &TcpStream,
    tls: &Mutex<ClientConnection>,
) -> std::io::Result<()> {
    let (mut sealed, mut plain) = (vec![0; 32_768], Vec::new());
    loop {
        let n = camera.read(&mut sealed)?;
        if n == 0 {
            return Ok(());
        }
        let mut rest = &sealed[..n];
        plain.clear();
        {
            let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
            while !rest.is_empty() {
                if tls.read_tls(&mut rest)? == 0 {
                    return Ok(()); // the camera has said goodbye; what follows is nothing
                }
                let state = tls.process_new_packets().map_err(std::io::Error::other)?;
                let start = plain.len();
                plain.resize(start + state.plaintext_bytes_to_read(), 0);
                tls.reader().read_exact(&mut plain[start..])?;
            }
            while tls.wants_write() {
                tls.write_tls(&mut camera)?;
            }
        }
        inside.write_all(&plain)?;
    }
}

fn to_camera(
    mut camera: &TcpStream,
    mut inside: &TcpStream,
    tls: &Mutex<ClientConnection>,
) -> std::io::Result<()> {
    let mut plain = vec![0; 8_192];
    loop {
        let n = inside.read(&mut plain)?;
        if n == 0 {
            return Ok(());
        }
        let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
        tls.writer().write_all(&plain[..n])?;
        while tls.wants_write() {
            tls.write_tls(&mut camera)?;
        }
    }
}
