// The CLI's composition root.
process.exitCode = 0
