"""The power metering server: takes readings from gateways, keeps them, shows them.

Layers, from the inside out; each file imports only from those above it:

    units  ranges  slots             pure: printing integers, sets of numbers, the merge rules
    schema  migrations  store        the tables and their history; transactions, "not now" errors
    settings  tokens  gateways       the directory: who may upload, ask, log in; how often
    keys  people  rates
    wire  hot  ingest  aside  told   what an upload looks like; putting a group of them in
    hours  energy  rollup            sums of hours and days; retention; energy of a span
    housekeeping
    problems                         errors as HTTP tells them
    writer  doors  service           group commit; tokens remembered; what the routes share
    queries  values  export          getting readings out
    body  access  web                HTTP: bodies, who is asking, forms and templates
    routes_*  pages  metrics  app    the routes; the application
    cli*  doctor  backups  imports   the `kenshin server` commands
"""
