import type { ReactNode } from 'react'
import { type Role, useAccess } from '../app/access.ts'

/** Shown to those whose role allows it. The server refuses the others all the same. */
export function Allowed({ to, children }: { to: Role; children: ReactNode }) {
  return useAccess().may(to) ? children : null
}
