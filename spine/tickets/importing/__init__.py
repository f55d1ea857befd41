"""Other systems' tickets brought in from files: read, mapped, staged, folded, written.

source -> encoding -> delimited | jsonlines | sheets   rows with their line numbers
mapping, converters, targets                            what a column means here
staging                                                 rows grouped by ticket, memory flat
folding                                                 events of one ticket -> record, history
references, writing, comparing                          the database
runs                                                    start, restart, progress, summary
"""
