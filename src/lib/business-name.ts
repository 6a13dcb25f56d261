/** Stands for the name of a business until someone names it. */
export const UNNAMED_BUSINESS = 'My business'
