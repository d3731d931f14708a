//! Listeners are bound before anything else starts, and the addresses they really got are told.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
};

use serde::Serialize;

use super::StartError;

/// Binds a listener; `option` is what the user would change.
pub fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, StartError> {
    let fault = |source| StartError::Listen { address, option, source };
    let listener = TcpListener::bind(address).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    Ok(listener)
}

/// The bound addresses by their names: `listen`, `ops`, `console`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Addresses(BTreeMap<&'static str, SocketAddr>);

impl Addresses {
    /// Adds a bound listener's.
    pub fn add(&mut self, name: &'static str, listener: &TcpListener) -> Result<SocketAddr, StartError> {
        let address = listener.local_addr().map_err(StartError::Runtime)?;
        self.0.insert(name, address);
        Ok(address)
    }

    /// Prints one `name=address` a line on standard output, for whoever chose port 0.
    pub fn print(&self) {
        let mut out = io::stdout().lock();
        for (name, address) in &self.0 {
            // Nobody reads any more: then nobody needs it.
            writeln!(out, "{name}={address}").ok();
        }
        out.flush().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_option_that_changes_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(address, "--listen").unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
    }
}
