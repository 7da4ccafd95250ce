//! Log with a reload handle; the metrics registry.
