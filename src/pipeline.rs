//! receive → decode → resolve → tell → receipt.
