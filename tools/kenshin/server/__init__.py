"""The power metering server: takes readings from gateways, keeps them, shows them.

Layers, from the inside out; each file imports only from those above it:

    units  ranges  slots        pure: printing integers, sets of numbers, the merge rules
    schema  store               the tables; transactions, durability, "not now" errors
    tokens  gateways  wire      who may upload; what an upload looks like
    ingest  queries             putting readings in; getting them out
    problems  body  routes_*    HTTP
    app  cli                    the application; the `kenshin server` commands
"""
