import { useQuery } from '@tanstack/react-query'
import { query } from './trpc.ts'

const RANKS = { viewer: 0, agent: 1, manager: 2, owner: 3 } as const
export type Role = keyof typeof RANKS

/** What this member may do: the screens hide the rest, and the server refuses it all the same. */
export function useAccess() {
  const me = useQuery(query('account.me'))
  const role = me.data?.role ?? 'viewer'
  return {
    role,
    /** False until the server has answered: nothing is allowed then, and nothing forbidden. */
    isKnown: me.data !== undefined,
    operator: me.data?.operator ?? false,
    may: (needed: Role) => RANKS[role] >= RANKS[needed],
  }
}
