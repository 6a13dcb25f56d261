/** In the order in which they are offered; those of `staff.color` of the API. */
export const STAFF_COLORS = ['blue', 'green', 'purple', 'orange', 'pink', 'teal', 'red', 'gray'] as const
export type StaffColor = (typeof STAFF_COLORS)[number]

/** Each has contrast enough beside the light and the dark page. */
const VALUES: Record<StaffColor, string> = {
  blue: '#3b82f6',
  green: '#22a35a',
  purple: '#9b6bf2',
  orange: '#dd7a12',
  pink: '#e0559f',
  teal: '#14a3a3',
  red: '#e0524f',
  gray: '#808894',
}

export const staffColor = (color: StaffColor): string => VALUES[color]

/** The colour of a person of the staff; their name stands beside it. */
export const StaffDot = ({ color }: { color: StaffColor }) => (
  <span aria-hidden="true" className="size-3 shrink-0 rounded-full" style={{ backgroundColor: VALUES[color] }} />
)
