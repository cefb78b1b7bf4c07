package hooks

// inUTC reports whether text is an instant in UTC as time.RFC3339Nano would
// write it but for the zone, "2024-02-28T10:00:00.5+00:00", with a space or a T
// in the middle. It is not asked to know all of them: the last days of a
// month that may not have them are left to package time.
func inUTC[text ~string | ~[]byte](t text) bool {
	const shape, zone = "0000-00-00 00:00:00", "+00:00"
	end := len(t) - len(zone)
	if end < len(shape) || string(t[end:]) != zone {
		return false
	}
	for i := range shape {
		digit := '0' <= t[i] && t[i] <= '9'
		between := t[i] == shape[i] || shape[i] == ' ' && t[i] == 'T'
		if shape[i] == '0' && !digit || shape[i] != '0' && !between {
			return false
		}
	}
	two := func(at int) byte { return (t[at]-'0')*10 + t[at+1] - '0' }
	month, day := two(5), two(8)
	if month < 1 || month > 12 || day < 1 || day > 30 || month == 2 && day > 28 || two(11) > 23 || two(14) > 59 || two(17) > 59 {
		return false
	}
	fraction := t[len(shape):end]
	if len(fraction) == 0 {
		return true
	}
	for _, digit := range []byte(fraction[1:]) {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return fraction[0] == '.' && 2 <= len(fraction) && len(fraction) <= 10 && fraction[len(fraction)-1] != '0'
}
