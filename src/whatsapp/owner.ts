import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * This process's name among the owners of accounts: machine, process id, and a mark no other life of this program has.
 * Two containers may share a host name and count processes each for themselves: their namespace tells them apart.
 */
export function nameOwner(): string {
  return `${machine()} ${process.pid} ${crypto.randomUUID().slice(0, 8)}`
}

/** The process of an owner that surely is no more: it ran on this machine, and nobody has its id now, or only we have. */
export function goneProcess(owner: string, self: string): { host: string; pid: number } | null {
  const [where, id] = owner.split(' ')
  if (owner === self || where !== machine() || !/^\d+$/.test(id ?? '')) return null
  const pid = Number(id)
  // Our own id under another mark: an earlier life, whose heartbeat is ours now.
  return pid === process.pid ? { host: '', pid } : isAlive(pid) ? null : { host: hostname(), pid }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM says that it runs as somebody else.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

function machine(): string {
  return `${hostname()}/${processNamespace()}`
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    // No such thing outside Linux, and no containers that share a host name either.
    return '0'
  }
}
