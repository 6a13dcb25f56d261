import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Host, pid and a random mark per start; the namespace distinguishes containers that share a host name and pids. */
export function nameOwner(): string {
  return `${machine()} ${process.pid} ${crypto.randomUUID().slice(0, 8)}`
}

export function goneProcess(owner: string, self: string): { host: string; pid: number } | null {
  const [where, id] = owner.split(' ')
  if (owner === self || where !== machine() || !/^\d+$/.test(id ?? '')) return null
  const pid = Number(id)
  // Our own process id with another mark: an earlier run, whose heartbeat this process took over.
  return pid === process.pid ? { host: '', pid } : isAlive(pid) ? null : { host: hostname(), pid }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: the process runs as another user.
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
    // There are no process namespaces outside Linux.
    return '0'
  }
}
