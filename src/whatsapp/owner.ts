import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * This process's name among the owners of accounts: machine, process id, and a mark no other life of this program has.
 * Two containers may share a host name and count processes each for themselves: their namespace tells them apart.
 */
export function nameOwner(): string {
  return `${machine()} ${process.pid} ${crypto.randomUUID().slice(0, 8)}`
}

/** Whether an owner surely is no more: it ran on this machine, and no process has its id now, or only we have. */
export function ownerIsGone(owner: string, self: string): boolean {
  if (owner === self) return false
  const [where, pid] = owner.split(' ')
  if (where !== machine() || !/^\d+$/.test(pid ?? '')) return false
  if (Number(pid) === process.pid) return true
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    // EPERM says that it runs as somebody else.
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
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
