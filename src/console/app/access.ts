import { useQuery } from '@tanstack/react-query'
import { query } from './trpc.ts'

const RANKS = { viewer: 0, agent: 1, manager: 2, owner: 3 } as const

/** What this member may do: the screens hide the rest, and the server refuses it all the same. */
export function useAccess() {
  const me = useQuery(query('account.me'))
  const role = me.data?.role ?? 'viewer'
  return {
    role,
    operator: me.data?.operator ?? false,
    may: (needed: keyof typeof RANKS) => RANKS[role] >= RANKS[needed],
  }
}
