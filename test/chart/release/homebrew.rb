# Homebrew's formula of this version, which a tap has as Formula/mini-hpa.rb: brew install mini-hpa/tap/mini-hpa
class MiniHpa < Formula
  desc "See what mini-hpa autoscales in Kubernetes, and why"
  homepage "https://github.com/mini-hpa/mini-hpa"
  version "{{ .Number }}"
  license all_of: ["Apache-2.0", "MPL-2.0"]

  on_macos do
    on_intel do
      url "{{ .URL "mini-hpa_darwin_amd64.tar.gz" }}"
      sha256 "{{ .Sum "mini-hpa_darwin_amd64.tar.gz" }}"
    end
    on_arm do
      url "{{ .URL "mini-hpa_darwin_arm64.tar.gz" }}"
      sha256 "{{ .Sum "mini-hpa_darwin_arm64.tar.gz" }}"
    end
  end

  on_linux do
    on_intel do
      url "{{ .URL "mini-hpa_linux_amd64.tar.gz" }}"
      sha256 "{{ .Sum "mini-hpa_linux_amd64.tar.gz" }}"
    end
    on_arm do
      url "{{ .URL "mini-hpa_linux_arm64.tar.gz" }}"
      sha256 "{{ .Sum "mini-hpa_linux_arm64.tar.gz" }}"
    end
  end

  def install
    bin.install "mini-hpa"
    bin.install_symlink "mini-hpa" => "kubectl-mini_hpa" # as which kubectl finds it
  end

  test do
    assert_match "v#{version}", shell_output("#{bin}/mini-hpa version")
  end
end
