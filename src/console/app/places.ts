import type { IconName } from '../ui/icon.tsx'

/** The screens, in the order of the navigation. */
export const PLACES = [
  { to: '/today', name: 'today', icon: 'sun' },
  { to: '/inbox', name: 'inbox', icon: 'chat' },
  { to: '/calls', name: 'calls', icon: 'phone' },
  { to: '/leads', name: 'leads', icon: 'board' },
  { to: '/contacts', name: 'contacts', icon: 'people' },
  { to: '/calendar', name: 'calendar', icon: 'calendar' },
  { to: '/payments', name: 'payments', icon: 'card' },
  { to: '/settings', name: 'settings', icon: 'gear' },
] as const satisfies { to: string; name: string; icon: IconName }[]
