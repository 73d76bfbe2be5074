package annotations

// The patterns of values. Blanks around a value are ignored, with a warning. What is a sum of several parts, as a duration is, has no bounds here.
const (
	patternCPU       = `^ *(` + ofCount + `%?|` + ofMilliCPU + `m) *$`
	patternMemory    = `^ *(` + ofCount + `%?|` + ofBytes + `) *$`
	patternLabel     = `^ *[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])? *$`
	patternNumber    = `^ *(0+|` + ofCount + `) *$`
	patternCount     = `^ *` + ofCount + ` *$`
	patternDuration  = `^ *` + ofDuration + ` *$`
	patternFallback  = `^ *` + ofCount + ` +after +` + ofDuration + ` *$`
	patternTolerance = `^ *(0|0*(0|[1-9][0-9]{0,5}|1000000)%|0*(0|[1-9][0-9]{0,3}|10000)\.[0-9]{1,9}) *$`
	patternPolicies  = `^ *(disabled|` + ofPolicy + `( *, *` + ofPolicy + `)*) *$`
	patternMode      = `^ *(auto|observe|paused) *$`

	// ofCount is from 1 to 2147483647, which is math.MaxInt32, and ofMilliCPU from 1 to maxMilliCPU. There may be zeros before a number.
	ofCount = `0*([1-9][0-9]{0,8}|1[0-9]{9}|20[0-9]{8}|21[0-3][0-9]{7}|214[0-6][0-9]{6}|2147[0-3][0-9]{5}|21474[0-7][0-9]{4}|` +
		`214748[0-2][0-9]{3}|2147483[0-5][0-9]{2}|21474836[0-3][0-9]|214748364[0-7])`
	ofMilliCPU = `0*([1-9][0-9]{0,8}|1000000000)`
	// ofBytes is above 0 and up to maxMemory, as far as the number of digits says it: each larger unit has three fewer.
	ofBytes = `(0+\.[0-9]*[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)|` +
		`0*([1-9][0-9]{0,12}(\.[0-9]+)?(Ki|k)|[1-9][0-9]{0,9}(\.[0-9]+)?(Mi|M)|[1-9][0-9]{0,6}(\.[0-9]+)?(Gi|G)|[1-9][0-9]{0,3}(\.[0-9]+)?(Ti|T)|1(\.0+)?Pi|1(\.[01][0-9]*)?P))`

	ofDuration = `(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+`
	ofPolicy   = ofCount + `(%| pods?) */ *` + ofDuration
)
