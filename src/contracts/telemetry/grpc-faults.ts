// gRPC statuses for which the server is to blame: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS, as the
// semantic conventions of OpenTelemetry count a server's errors. What 5xx is to HTTP.
export const grpcFaults: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15])
