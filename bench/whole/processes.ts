import { readdirSync, readFileSync } from 'node:fs'

/** The kernel's clock ticks a second: 100 on every Linux that Bun runs on. */
const TICKS = 100

const ROLES = ['web', 'workers', 'postgres', 'redis', 'supervisor'] as const
export type Role = (typeof ROLES)[number]

/** What the processes of an installation used since each began, by their part in it. */
export type Account = Map<Role, { cpuSeconds: number; pssMb: number; processes: number }>

type Process = { pid: number; parent: number; ticks: number; command: string }

/** Every process now; those that end meanwhile are passed over. */
function allProcesses(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      // The name in brackets may contain anything; the fields after it are numbers (proc_pid_stat(5)).
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number)
      const [parent = 0, ticks] = [fields[1], fields.slice(11, 15).reduce((sum, each) => sum + each, 0)]
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return [{ pid: Number(name), parent, ticks, command }]
    } catch {
      return []
    }
  })
}

function pssMb(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1_024
  } catch {
    return 0
  }
}

function roleOf(command: string): Role {
  if (/\bpostgres\b/.test(command)) return 'postgres'
  if (command.includes('redis-server')) return 'redis'
  if (command.includes('web-server')) return 'web'
  return /workers?\//.test(command) ? 'workers' : 'supervisor'
}

/**
 * What these processes and all below them used, dead children included, whose time the kernel adds to their parents'.
 * @param roots pids
 */
export function account(roots: readonly number[]): Account {
  const all = allProcesses()
  const counted = new Set(roots)
  for (let grown = true; grown; ) {
    grown = false
    for (const { pid, parent } of all)
      if (counted.has(parent) && !counted.has(pid)) {
        counted.add(pid)
        grown = true
      }
  }
  const sums: Account = new Map(ROLES.map((role) => [role, { cpuSeconds: 0, pssMb: 0, processes: 0 }]))
  for (const { pid, ticks, command } of all) {
    const sum = counted.has(pid) ? sums.get(roleOf(command)) : undefined
    if (!sum) continue
    sum.cpuSeconds += ticks / TICKS
    sum.pssMb += pssMb(pid)
    sum.processes++
  }
  return sums
}
