# The habits of the house; `just` lists them. Each is one command you can also type.

_default:
    @just --list

# A week of the sample campaigns in about three minutes, on a Postgres of its own
demo:
    cargo run -- run --demo

# All tests; they start what they need
test *ARGS:
    cargo test {{ARGS}}

# The tests that answer soon: `just fast webhooks` for some of them
fast *ARGS:
    cargo test --test it {{ARGS}}

# The tests that take long: `just slow chaos` for some of them
slow *ARGS:
    cargo test --test slow {{ARGS}}

# Everything that CI runs
check:
    .ci/run

# Write what is generated: JSON Schemas and the reference pages of the documentation
generate:
    cargo run --quiet -- schema --out schemas
    cargo run --quiet -- reference --out docs/src/reference

# Build the documentation into target/book
book:
    mdbook build docs

# Figures, each beside something it is compared with
bench *ARGS:
    cargo bench {{ARGS}}
