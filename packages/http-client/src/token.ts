/** The name of a field, as RFC 9110 §5.6.2 has it. */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
