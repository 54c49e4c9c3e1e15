//! Owns credential references and how they are resolved to secrets, which stay in here and in upstream requests.
