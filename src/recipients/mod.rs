//! Audience to recipients: who sees a place, cached, looked up once.
