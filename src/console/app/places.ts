import type { IconName } from '../ui/icon.tsx'

/** The screens, in the order of the navigation; `always`: those that a phone has room for, the others are behind "more". */
export const PLACES = [
  { to: '/today', name: 'today', icon: 'sun', always: true },
  { to: '/inbox', name: 'inbox', icon: 'chat', always: true },
  { to: '/live', name: 'live', icon: 'wave' },
  { to: '/calls', name: 'calls', icon: 'phone', always: true },
  { to: '/leads', name: 'leads', icon: 'board', always: true },
  { to: '/contacts', name: 'contacts', icon: 'people' },
  { to: '/calendar', name: 'calendar', icon: 'calendar' },
  { to: '/payments', name: 'payments', icon: 'card' },
  { to: '/stats', name: 'stats', icon: 'chart' },
  { to: '/settings', name: 'settings', icon: 'gear' },
  { to: '/health', name: 'health', icon: 'pulse' },
] as const satisfies { to: string; name: string; icon: IconName; always?: true }[]

export type Place = (typeof PLACES)[number]

export const isAlways = (place: Place) => 'always' in place
