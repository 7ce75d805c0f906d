// A header block that cannot be read: the tables of both sides are no longer the same (RFC 7541 section 2.3, COMPRESSION_ERROR).

export class HpackError extends Error {}
