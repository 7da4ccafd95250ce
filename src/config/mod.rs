//! Settings in layers: default < file < environment < command line.
